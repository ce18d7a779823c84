/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What every probe has: a ring, a limit and its counters. A probe reports and refuses nothing; what it could not report is
 * counted. The structs of the kernel below name only the members that we read: the loader finds them in the kernel that
 * runs (CO-RE), wherever they lie there.
 */
#ifndef WEFT_PROBE_H
#define WEFT_PROBE_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"

#define SECOND_NS 1000000000ULL
#define KERNEL __attribute__((preserve_access_index))

struct task_struct {
	int tgid;
	int pid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
} KERNEL;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weft_probe_config);
} weft_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEFT_PROBE_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} weft_counters SEC(".maps");

struct bucket {
	__u64 since_ns;
	__u64 events;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket);
} weft_bucket SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WEFT_RING_BYTES);
} weft_events SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&weft_counters, &which);

	if (n)
		*n += 1;
}

/* Room for an event of the process that runs now, with what is known without asking the kernel's structs; or 0, counted. */
static __always_inline struct weft_probe_event *new_event(__u32 kind)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 zero = 0;
	struct weft_probe_config *config = bpf_map_lookup_elem(&weft_config, &zero);
	struct bucket *bucket = bpf_map_lookup_elem(&weft_bucket, &zero);
	struct weft_probe_event *event;

	count(WEFT_PROBE_COUNT_SEEN);
	if (config && bucket && config->events_per_second) {
		if (now - bucket->since_ns >= SECOND_NS) {
			bucket->since_ns = now;
			bucket->events = 0;
		}
		if (bucket->events >= config->events_per_second) {
			count(WEFT_PROBE_COUNT_LIMITED);
			return 0;
		}
		bucket->events += 1;
	}
	event = bpf_ringbuf_reserve(&weft_events, sizeof(*event), 0);
	if (!event) {
		count(WEFT_PROBE_COUNT_LOST);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = now;
	event->kind = kind;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = (__u32)bpf_get_current_uid_gid();
	event->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(event->command, sizeof(event->command));
	return event;
}

#endif
