"""What the requests of one case came to: a line for each, and at the end what a reader must know of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

_BLURRED = 0.05  # events and tokens that differ by more are not one to one
_TOO_MANY = 0.01  # share of failed requests from which a reader is warned
# How late a client may be at its p99 before the record says that the client was the bottleneck. Less than a
# millisecond is what this client promises of its clock, so that no rate is so high that a shorter lag would matter.
_LATEST_S, _LATEST_OF_GAP, _PROMISED_S = 5e-3, 0.05, 1e-3
_HIDDEN = 5.0  # times the p99: a worst request beyond it is a stall that the tail of a closed loop hides
_BUSIEST = 0.9  # share of a core: a client process that is busier cannot be trusted to be in time


class Tally:
    """Hears the requests of one case and says what they came to."""

    def __init__(self, kit: Any, case: str, plan: dict[str, Any]) -> None:
        self.kit, self.case, self.plan = kit, case, plan
        self.parse = kit.beside("serve_parse")
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self.first: dict[str, tuple[float, str]] = {}  # of each kind of fault: when, and what was said
        self.late_s: list[float] = []
        self.request_s: list[float] = []
        self.again = self.estimated = self.overlong = self.short = self.unstreamed = 0
        self.events = self.tokens = self.asked_in = self.counted_in = 0

    def hear(self, record: Any) -> None:
        """One request has ended."""
        answer = self._read(record)
        self.again += record.again
        if record.counts and record.planned_s is not None and record.sent_s is not None:
            self.late_s.append(record.sent_s - record.planned_s)
        if answer.fault:
            self._fault(record, answer)
            return
        if record.counts:
            self._count(record, answer)
        line = {"case": self.case, "step": record.number, "at": record.ended_s, "warmup": not record.counts}
        self.kit.emit(**line, **self._figures(record, answer))
        gaps = [round(b - a, 7) for a, b in pairwise(answer.token_at_s)]
        if gaps:
            self.kit.emit(**line, itl_s=gaps)

    def _read(self, record: Any) -> Any:
        body = b"".join(record.pieces) if record.status != 200 else b""
        if record.fault:
            return self.parse.Answer(fault=record.fault, text=record.text)
        if record.status != 200:
            return self.parse.Answer(fault=f"HTTP {record.status}", text=self.parse.complaint(body))
        if "json" in record.content_type:
            return self.parse.whole(b"".join(record.pieces))
        if not record.pieces:
            return self.parse.Answer(fault="empty answer", text="no body")
        return self.parse.streamed(record.at_s, record.pieces)

    def _figures(self, record: Any, answer: Any) -> dict[str, float]:
        """The metrics of one request, by the definitions of metrics.toml."""
        at_s = answer.token_at_s
        tokens = len(at_s) if answer.output_tokens is None else answer.output_tokens  # one an event: the best there is
        figures: dict[str, Any] = {"request_s": record.ended_s - record.sent_s}
        if record.planned_s is not None:
            figures["send_lag_s"] = record.sent_s - record.planned_s
        if answer.input_tokens is not None:
            figures["input_tokens"] = answer.input_tokens
        if tokens:
            figures["output_tokens"] = tokens
        if at_s:
            figures["ttft_s"] = at_s[0] - record.sent_s
            if tokens > 1 and len(at_s) > 1:
                figures["tpot_s"] = (at_s[-1] - at_s[0]) / (tokens - 1)
        return {key: value if isinstance(value, int) else round(value, 7) for key, value in figures.items()}

    def _count(self, record: Any, answer: Any) -> None:
        """What is to be said of all answers together."""
        tokens, events = answer.output_tokens, len(answer.token_at_s)
        self.answered += 1
        self.unstreamed += not events
        self.request_s.append(record.ended_s - record.sent_s)
        if answer.input_tokens is not None and record.input_tokens:
            self.asked_in += record.input_tokens
            self.counted_in += answer.input_tokens
        if tokens is None:
            self.estimated += 1
            return
        self.tokens, self.events = self.tokens + tokens, self.events + (events or tokens)
        self.overlong += tokens > record.output_tokens
        self.short += self.plan["ignore_eos"] and tokens < record.output_tokens

    def _fault(self, record: Any, answer: Any) -> None:
        if record.counts:
            self.failed[answer.fault] += 1
            self.first.setdefault(answer.fault, (record.ended_s, answer.text))

    # --- at the end ------------------------------------------------------------------------------------------------

    def close(self, client: Any) -> None:
        """Say what holds for the case as a whole; raises SystemExit where not one request was answered."""
        failed, asked = self.failed.total(), self.answered + self.failed.total()
        for at_s, took_s in client.connect_s:
            self.kit.emit(case=self.case, at=at_s, connect_s=round(took_s, 7))
        self.kit.emit(case=self.case, failed_requests=failed)
        for kind, count in self.failed.most_common():
            at_s, text = self.first[kind]
            said = f"{kind}: {count} of {asked} requests; the first said: {text or 'nothing'}"
            self.kit.emit(event="happened", kind="request failed", at=at_s, text=said, of=self.case)
        if asked and not self.answered:
            kind, (_, text) = next(iter(self.first.items()))
            raise SystemExit(
                f"{self.case}: not one of {asked} requests was answered: {kind}: {text or 'nothing was said'}"
            )
        if failed > _TOO_MANY * asked:
            self._warn(f"{failed} of {asked} requests failed ({_kinds(self.failed)}): no latency holds them")
        if self.again:
            self._warn(f"{self.again} requests were sent twice: the server had closed their connection")
        self._check_counts()
        self._check_tail()
        self._check_client(client)

    @property
    def each(self) -> float:
        """Tokens that an event carries, on average."""
        return self.tokens / self.events if self.events else 1.0

    @property
    def blurred(self) -> bool:
        """Whether events carry several tokens, so that the gaps between them are none between tokens."""
        return self.each > 1 + _BLURRED

    def _check_counts(self) -> None:
        """Whether tokens, as the server counts them, and events, as they came, go together."""
        if self.estimated:
            self._warn(f"{self.estimated} answers came without usage: their tokens are taken as one an event")
        if self.unstreamed and self.plan["stream"]:
            self._warn(f"{self.unstreamed} answers were not streamed: they have no time to first token")
        if self.blurred:
            self._warn(f"an event carries {self.each:.2g} tokens on average: itl_s is per event, tpot_s per token")
        if self.short:
            self._warn(f"{self.short} answers were shorter than asked for, though ignore_eos was sent")
        if self.asked_in and not 0.9 < self.counted_in / self.asked_in < 1.1:
            ratio = self.counted_in / self.asked_in
            self._warn(f"prompts came to {ratio:.2f} times the tokens asked for, by the server's count")
        if not self.tokens:
            return
        wrong = []
        if self.each < 1 - _BLURRED:
            wrong.append(f"the server counted {self.tokens} tokens where {self.events} events with content came")
        if self.overlong:
            wrong.append(f"{self.overlong} answers have more tokens by the server's count than were asked for")
        for text in wrong:
            self._warn(text)
        self._check("token counts", not wrong, "; ".join(wrong) or "the server's counts and what came go together")

    def _check_client(self, client: Any) -> None:
        """Whether the client was in time (else its own lateness is in the figures)."""
        rate = self.plan["rate"]
        lag_s = quantile(self.late_s or client.lag_s, 0.99)
        most_s = min(_LATEST_S, max(_PROMISED_S, _LATEST_OF_GAP / rate)) if rate else _LATEST_S
        what = "requests left" if self.late_s else "its loop was"
        text = f"{what} up to {1e3 * lag_s:.2f} ms late (p99), and it was busy for {100 * client.busy:.0f} % of a core"
        passed = lag_s <= most_s and client.busy <= _BUSIEST
        if not passed:
            text = f"the client was the bottleneck: {text}; use more processes, realtime=true or another machine"
            self._warn(text)
        self._check("client in time", passed, text)

    def _check_tail(self) -> None:
        """A stall hits no more than the requests under way: where they wait for it, its length never reaches a p99."""
        if self.plan["concurrency"] and self.request_s:
            worst_s, tail_s = max(self.request_s), quantile(self.request_s, 0.99)
            if worst_s > _HIDDEN * tail_s:
                self._warn(
                    f"one request took {worst_s:.2g} s, though the p99 is {tail_s:.2g} s: a closed loop does not ask "
                    "while it waits, so its tail hides stalls; write rate=… to see them"
                )

    def _warn(self, text: str) -> None:
        self.kit.warn(f"{self.case}: {text}")

    def _check(self, name: str, passed: bool, text: str) -> None:
        self.kit.emit(event="check", name=name, passed=passed, text=f"{self.case}: {text}", of=self.case)


def quantile(values: Sequence[float], p: float) -> float:
    """The p-quantile by rank; 0 where there is nothing."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(p * len(ranked)))] if ranked else 0.0


def _kinds(failed: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in failed.most_common())
