/* A libnvidia-ml.so.1 for machines without a GPU: H100s at work as others have seen them (slurm-job-exporter issue 30),
 * or whatever STUB_NVML asks for, words apart by commas:
 *
 *   devices=N   how many GPUs (8)             after=N    readings of GPU 0 before the following happens (0)
 *   mig         GPU 0 is cut in two slices    hang       asking for the utilization never comes back
 *   old         a V100 and its driver         lost       GPU 0 falls off the bus
 *   mismatch    library and driver differ     xid        GPU 0 has a memory page fault (XID 31); with lost: XID 79
 *   absent      no driver is loaded           died       the profiling counters stand still
 *   forbidden   only root may read those
 *
 * Build: cc -shared -fPIC -o libnvidia-ml.so.1 nvml.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, FORBIDDEN = 4, NOT_FOUND = 6, TOO_SMALL = 7, NO_DRIVER = 9, TIMED_OUT = 10, LOST = 15, MISMATCH = 18 };
enum { MOST = 16, SLICES = 2 };

typedef struct { int index, slice; double watts; } Gpu; /* slice 0: the whole GPU */
typedef Gpu *Device;
typedef struct { double at; Gpu *of; } *Sample;

static Gpu gpus[MOST][1 + SLICES];
static double began;
static int xid_told, asked;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static const char *word(const char *name) {
    const char *said = getenv("STUB_NVML");
    return said ? strstr(said, name) : NULL;
}
static double figure(const char *name, double otherwise) {
    const char *found = word(name);
    return found ? atof(found + strlen(name)) : otherwise;
}
static int due(const char *name) { return word(name) && asked > 1 + figure("after=", -2); } /* 1: whether it answers */
static int gone(Device d) { return d->index == 0 && due("lost"); }
static int cut(Device d) { return d->index == 0 && word("mig"); }
static double run(Device d) { return now() - began + 100.0 * (d->index + 1); }

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (word("mismatch")) return MISMATCH;
    if (word("absent")) return NO_DRIVER;
    began = now();
    for (int i = 0; i < MOST; i++)
        for (int s = 0; s <= SLICES; s++) gpus[i][s] = (Gpu){i, s, word("old") ? 250.0 : 572.191 + i};
    return OK;
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) {
    switch (code) {
    case UNSUPPORTED: return "Not Supported";
    case FORBIDDEN: return "Insufficient Permissions";
    case NO_DRIVER: return "Driver Not Loaded";
    case TIMED_OUT: return "Timeout";
    case LOST: return "GPU is lost";
    case MISMATCH: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}
int nvmlSystemGetDriverVersion(char *to, unsigned size) { return snprintf(to, size, "%s", word("old") ? "418.67" : "570.169"), OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = (unsigned)figure("devices=", 8), OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *d) { return *d = &gpus[index][0], OK; }
int nvmlDeviceGetUUID(Device d, char *to, unsigned size) {
    if (gone(d)) return LOST;
    return snprintf(to, size, "%s-604ac76c-0000-%04d-%04d-000000000000", d->slice ? "MIG" : "GPU", d->index, d->slice), OK;
}
int nvmlDeviceGetName(Device d, char *to, unsigned size) {
    const char *name = word("old") ? "Tesla V100-SXM2-32GB" : "NVIDIA H100 80GB HBM3";
    return snprintf(to, size, "%s%s", name, d->slice ? " MIG 3g.40gb" : ""), OK;
}
int nvmlDeviceGetPciInfo_v3(Device d, void *to) { /* busId stands behind 16 characters and five numbers */
    memset(to, 0, 16 + 5 * 4 + 32);
    return sprintf((char *)to + 16 + 5 * 4, "00000000:%02X:00.0", d->index + 1), OK;
}
int nvmlDeviceGetCudaComputeCapability(Device d, int *major, int *minor) { return (void)d, *major = word("old") ? 7 : 9, *minor = 0, OK; }

static uint64_t memory(Device d) { return (word("old") ? 32ull : 80ull) * 1073741824 / (d->slice ? SLICES : 1); }
int nvmlDeviceGetMemoryInfo(Device d, uint64_t *to) { /* total, free, used */
    return to[0] = memory(d), to[2] = 32429ull << 20 >> !!d->slice, to[1] = to[0] - to[2], OK;
}
int nvmlDeviceGetMemoryInfo_v2(Device d, uint64_t *to) { /* version, total, reserved, free, used */
    if (word("old")) return UNSUPPORTED;
    return to[1] = memory(d), to[2] = 600ull << 20, to[4] = 32429ull << 20 >> !!d->slice, to[3] = to[1] - to[2] - to[4], OK;
}
int nvmlDeviceGetUtilizationRates(Device d, unsigned *to) {
    if (due("hang")) for (;;) pause();
    if (gone(d)) return LOST;
    if (d->slice || cut(d)) return UNSUPPORTED;
    return to[0] = 100, to[1] = 38, OK;
}
int nvmlDeviceGetClockInfo(Device d, unsigned which, unsigned *mhz) {
    if (gone(d)) return LOST;
    if (d == &gpus[0][0] && which == 1) asked++;
    return d->slice ? UNSUPPORTED : (*mhz = which == 1 ? 1755 : 2619, OK);
}
int nvmlDeviceGetTemperature(Device d, unsigned sensor, unsigned *to) {
    return (void)sensor, d->slice ? UNSUPPORTED : (*to = 61 + d->index, OK);
}
int nvmlDeviceGetMarginTemperature(Device d, int *to) { return d->slice || word("old") ? UNSUPPORTED : (to[1] = 26 - d->index, OK); }
int nvmlDeviceGetCurrentClocksEventReasons(Device d, uint64_t *to) { return d->slice || word("old") ? UNSUPPORTED : (*to = d->index % 2 ? 0x4 : 0, OK); }
int nvmlDeviceGetCurrentClocksThrottleReasons(Device d, uint64_t *to) { return d->slice ? UNSUPPORTED : (*to = 0x8 | 0x40, OK); }
int nvmlDeviceGetTotalEnergyConsumption(Device d, uint64_t *to) { return d->slice ? UNSUPPORTED : (*to = (uint64_t)(1e3 * d->watts * run(d)), OK); }
int nvmlDeviceGetPowerUsage(Device d, unsigned *to) { return d->slice ? UNSUPPORTED : (*to = (unsigned)(1e3 * d->watts), OK); }
int nvmlDeviceGetEnforcedPowerLimit(Device d, unsigned *to) { return d->slice ? UNSUPPORTED : (*to = word("old") ? 300000 : 700000, OK); }
int nvmlDeviceGetTotalEccErrors(Device d, unsigned type, unsigned counter, uint64_t *to) {
    return (void)counter, d->slice ? UNSUPPORTED : (*to = type ? 0 : d->index, OK);
}
int nvmlDeviceGetRemappedRows(Device d, unsigned *corrected, unsigned *not, unsigned *pending, unsigned *failed) {
    if (d->slice || word("old")) return UNSUPPORTED;
    return *corrected = *not = *failed = 0, *pending = d->index == 1, OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device d, unsigned *count, void *to) {
    if (!to) return *count = 1, TOO_SMALL;
    struct { unsigned pid; uint64_t used; unsigned gpu, compute; } one = {4242, 32429ull << 20, ~0u, ~0u};
    return (void)d, memcpy(to, &one, sizeof one), *count = 1, OK;
}

typedef struct { unsigned id, scope; int64_t at, took; int type, answer; union { double d; unsigned u; uint64_t ull; } value; } Field;
int nvmlDeviceGetFieldValues(Device d, int count, Field *fields) {
    if (gone(d)) return LOST;
    for (Field *f = fields; f < fields + count; f++) {
        f->answer = word("old") || d->slice ? UNSUPPORTED : OK;
        f->type = 3; /* unsigned long long */
        switch (f->id) {
        case 185: case 186: f->type = 1; f->value.u = (unsigned)(1e3 * d->watts); break;
        case 82: f->type = 1; f->value.u = 74; break;
        case 74: f->value.ull = d->index % 2 ? (uint64_t)(1e9 * run(d)) : 0; break;
        case 75: f->value.ull = 0; break;
        case 197: f->value.ull = (uint64_t)(0.4e9 * run(d)); break;
        case 198: f->value.ull = (uint64_t)(873509672.0 * run(d)); break;
        case 138: case 139: /* KiB, of one link where the scope is its number */
            f->value.ull = (uint64_t)(4991556833.0 / 1024 * run(d)) / (f->scope == 0xFFFFFFFF ? 1 : 18); break;
        default: f->answer = UNSUPPORTED;
        }
    }
    return OK;
}

int nvmlDeviceGetMigMode(Device d, unsigned *current, unsigned *pending) { return word("old") ? UNSUPPORTED : (*current = *pending = !!cut(d), OK); }
int nvmlDeviceGetMaxMigDeviceCount(Device d, unsigned *count) { return (void)d, *count = 7, OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Device d, unsigned index, Device *part) {
    return index >= SLICES ? NOT_FOUND : (*part = &gpus[d->index][index + 1], OK);
}
int nvmlDeviceGetGpuInstanceId(Device d, unsigned *id) { return *id = d->slice, OK; }

int nvmlGpmQueryDeviceSupport(Device d, unsigned *to) { return (void)d, to[1] = !word("old"), OK; }
int nvmlGpmSampleAlloc(Sample *s) { return *s = calloc(1, sizeof **s), OK; }
int nvmlGpmSampleFree(Sample s) { return free(s), OK; }
int nvmlGpmSampleGet(Device d, Sample s) { return word("forbidden") ? FORBIDDEN : gone(d) ? LOST : (s->at = now(), s->of = d, OK); }
int nvmlGpmMigSampleGet(Device d, unsigned instance, Sample s) { return s->at = now(), s->of = &gpus[d->index][instance], OK; }

typedef struct { unsigned id; int answer; double value; const char *names[3]; } Metric;
int nvmlGpmMetricsGet(void *get) {
    struct { unsigned version, count; Sample earlier, later; Metric metrics[]; } *asked = get;
    if (asked->version != 1 || asked->later->at <= asked->earlier->at) return INVALID;
    for (Metric *m = asked->metrics; m < asked->metrics + asked->count; m++) {
        Gpu *of = asked->later->of;
        m->answer = of->slice && m->id >= 20 ? UNSUPPORTED : OK; /* a slice has no links of its own */
        switch (m->id) {
        case 1: m->value = 99.9; break;
        case 2: m->value = of->slice == 2 ? 104.0 : 91.26; break; /* more than all has been seen (DCGM issue 152) */
        case 3: m->value = 24.45; break;
        case 5: m->value = 27.94; break;
        case 10: m->value = 21.37; break;
        case 20: m->value = 381.5; break;
        case 21: m->value = 873509672.0 / 1048576; break;
        case 60: case 61: m->value = 4991556833.0 / 1048576; break;
        default: m->answer = INVALID;
        }
        if (due("died")) m->value = 0.0;
    }
    return OK;
}

int nvmlEventSetCreate(void **set) { return *set = &began, OK; }
int nvmlEventSetFree(void *set) { return (void)set, OK; }
int nvmlDeviceRegisterEvents(Device d, uint64_t kinds, void *set) { return (void)d, (void)kinds, (void)set, OK; }
int nvmlEventSetWait_v2(void *set, void *to, unsigned wait_ms) {
    struct { Device of; uint64_t kind, data; unsigned gpu, compute; } *event = to;
    (void)set, (void)wait_ms;
    if (!due("xid") || xid_told++) return TIMED_OUT;
    return event->of = &gpus[0][0], event->kind = 8, event->data = word("lost") ? 79 : 31, OK;
}
