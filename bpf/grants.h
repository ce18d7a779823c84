/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The maps of a gate and the one question both gates ask: is there a grant for this, and is it still running?
 * Included once by each gate; each has maps of its own.
 */
#ifndef WEFT_GRANTS_H
#define WEFT_GRANTS_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"

#define SECOND_NS 1000000000ULL

/* Not LRU: that would evict grants in silence. Not preallocated: memory grows with the grants that there are. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEFT_GRANTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct weft_grant_key);
	__type(value, struct weft_grant);
} weft_grants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weft_shapes);
} weft_shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_PORTS);
	__type(key, __u32);
	__type(value, __u8);
} weft_guarded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weft_config);
} weft_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEFT_COUNTERS);
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

/* What was asked for: addresses and port as they are in the packet or call. */
struct flow {
	__u64 source[2];
	__u64 destination[2];
	__u16 source_port;
	__u16 port;
	__u8 protocol;
	__u8 family;
};

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&weft_counters, &which);

	if (n)
		*n += 1;
}

static __always_inline void mapped(__u64 *address, __u32 v4)
{
	address[0] = 0;
	address[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(v4));
}

/* The first `bits` of 64, in network order. */
static __always_inline __u64 prefix(__u32 bits)
{
	if (bits == 0)
		return 0;
	if (bits >= 64)
		return ~0ULL;
	return bpf_cpu_to_be64(~0ULL << (64 - bits));
}

static __always_inline void cut(__u64 *to, const __u64 *address, __u32 bits)
{
	to[0] = address[0] & prefix(bits);
	to[1] = address[1] & prefix(bits > 64 ? bits - 64 : 0);
}

static __always_inline int guarded(const struct flow *flow)
{
	__u32 port = flow->port;
	__u8 *guard = bpf_map_lookup_elem(&weft_guarded, &port);

	return guard && (*guard & (flow->protocol == IPPROTO_TCP ? WEFT_GUARD_TCP : WEFT_GUARD_UDP));
}

/*
 * The grant that runs now, or, without one, some grant that is over (to say why), or 0. The whole addresses first: most
 * grants are for one pair of hosts. A shape that is read while it is written misses at worst: the shape is part of the key.
 */
static __always_inline struct weft_grant *find_grant(const struct flow *flow, __u64 now)
{
	struct weft_grant_key key = {
		.source = { flow->source[0], flow->source[1] },
		.destination = { flow->destination[0], flow->destination[1] },
		.port = flow->port,
		.protocol = flow->protocol,
		.family = flow->family,
		.source_bits = 128,
		.destination_bits = 128,
	};
	struct weft_grant *over, *grant = bpf_map_lookup_elem(&weft_grants, &key);
	struct weft_shapes *shapes;
	__u32 zero = 0;

	if (grant && grant->expires_ns > now)
		return grant;
	over = grant;
	shapes = bpf_map_lookup_elem(&weft_shapes, &zero);
	if (!shapes)
		return over;
	for (__u32 i = 0; i < WEFT_SHAPES_MAX; i++) {
		struct weft_shape shape;

		if (i >= shapes->count)
			break;
		shape = shapes->shape[i];
		if (shape.family != flow->family) /* it could not match: this only saves the lookup */
			continue;
		cut(key.source, flow->source, shape.source_bits);
		cut(key.destination, flow->destination, shape.destination_bits);
		key.port = shape.any_port ? 0 : flow->port;
		key.source_bits = shape.source_bits;
		key.destination_bits = shape.destination_bits;
		key.any_port = shape.any_port;
		grant = bpf_map_lookup_elem(&weft_grants, &key);
		if (!grant)
			continue;
		if (grant->expires_ns > now)
			return grant;
		over = grant;
	}
	return over;
}

/* Room for an event, or 0 and counted: a flood of refusals must cost neither the CPU nor the events that matter. */
static __always_inline struct weft_gate_event *new_event(const struct weft_config *config, __u64 now)
{
	__u32 zero = 0;
	struct bucket *bucket = bpf_map_lookup_elem(&weft_bucket, &zero);
	struct weft_gate_event *event;

	if (bucket && config->events_per_second) {
		if (now - bucket->since_ns >= SECOND_NS) {
			bucket->since_ns = now;
			bucket->events = 0;
		}
		if (bucket->events >= config->events_per_second) {
			count(WEFT_COUNT_EVENT_LIMITED);
			return 0;
		}
		bucket->events += 1;
	}
	event = bpf_ringbuf_reserve(&weft_events, sizeof(*event), 0);
	if (!event) {
		count(WEFT_COUNT_EVENT_LOST);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	return event;
}

static __always_inline void describe(struct weft_gate_event *event, const struct flow *flow, __u64 now, __u8 verdict,
				     __u8 reason, const struct weft_grant *over)
{
	event->time_ns = now;
	event->source_port = flow->source_port;
	event->destination_port = flow->port;
	event->protocol = flow->protocol;
	event->family = flow->family;
	event->verdict = verdict;
	event->reason = reason;
	__builtin_memcpy(event->source, flow->source, 16);
	__builtin_memcpy(event->destination, flow->destination, 16);
	if (over) {
		event->expires_ns = over->expires_ns;
		__builtin_memcpy(event->token, over->token, sizeof(event->token));
	}
}

#endif
