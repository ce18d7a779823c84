/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Everything that kernel programs and the agent say to each other. `npm run bpf:build` reads sizes, offsets and values from
 * here (through BTF) into dist/abi.json, and the agent takes them from there: no number is written twice.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d; prefix lengths count from the first of the 128 bits (IPv4 /n
 * is 96 + n). Ports are in host order. Times are nanoseconds of CLOCK_BOOTTIME, which goes on during suspend.
 */
#ifndef WEFT_ABI_H
#define WEFT_ABI_H

#include <linux/types.h>

enum weft_limits {
	WEFT_GRANTS_MAX = 1 << 20,
	WEFT_SHAPES_MAX = 32,
	WEFT_PORTS = 65536,
	WEFT_RING_BYTES = 1 << 20,
	WEFT_PATH_BYTES = 128,
	WEFT_DROP_REASONS = 256,
};

/* A zeroed map means off: a gate that nobody has configured lets everything pass. */
enum weft_mode {
	WEFT_MODE_OFF = 0,
	WEFT_MODE_OBSERVE = 1,
	WEFT_MODE_ENFORCE = 2,
};

enum weft_config_flags {
	WEFT_REFUSE_FRAGMENTS = 1, /* later fragments are refused, too; otherwise the first one decides */
};

enum weft_guard {
	WEFT_GUARD_TCP = 1,
	WEFT_GUARD_UDP = 2,
};

enum weft_family {
	WEFT_IPV4 = 4,
	WEFT_IPV6 = 6,
};

struct weft_config {
	__u32 mode;
	__u32 events_per_second; /* on each CPU; 0: as many as fit */
	__u32 flags;
	__u32 pad;
};

/* What of a packet a grant looks at. Grants of one shape share one lookup, so there may be few shapes and very many grants. */
struct weft_shape {
	__u8 family;
	__u8 source_bits;
	__u8 destination_bits;
	__u8 any_port;
};

struct weft_shapes {
	__u32 count;
	struct weft_shape shape[WEFT_SHAPES_MAX];
};

/* The shape is part of the key: a key is found under no other shape than the one it was made for. */
struct weft_grant_key {
	__u64 source[2];      /* network order, bits behind source_bits are 0 */
	__u64 destination[2]; /* likewise */
	__u16 port;           /* 0 where any_port */
	__u8 protocol;
	__u8 family;
	__u8 source_bits;
	__u8 destination_bits;
	__u8 any_port;
	__u8 pad;
};

struct weft_grant {
	__u64 expires_ns; /* at this moment the grant is over */
	__u64 packets;
	__u64 bytes;
	__u8 token[32]; /* id of the intent */
};

enum weft_verdict {
	WEFT_PASSED = 0, /* would have been refused, but the gate observes */
	WEFT_REFUSED = 1,
};

enum weft_reason {
	WEFT_NO_GRANT = 1,
	WEFT_EXPIRED = 2,
	WEFT_FRAGMENT = 3,
	WEFT_MALFORMED = 4,
};

/* What became of packets (gate) or calls (outgoing). The first eight are disjoint and their sum is what was seen while not off. */
enum weft_counter {
	WEFT_COUNT_GRANTED,
	WEFT_COUNT_UNGUARDED,
	WEFT_COUNT_OTHER,          /* neither TCP nor UDP */
	WEFT_COUNT_LATER_FRAGMENT, /* passed: the first fragment decides */
	WEFT_COUNT_NO_GRANT,
	WEFT_COUNT_EXPIRED,
	WEFT_COUNT_FRAGMENT,       /* later fragment, with WEFT_REFUSE_FRAGMENTS */
	WEFT_COUNT_MALFORMED,
	WEFT_COUNT_REFUSED,        /* of the last four: dropped */
	WEFT_COUNT_OBSERVED,       /* of the last four: would have been dropped */
	WEFT_COUNT_EVENT_LOST,     /* the ring was full */
	WEFT_COUNT_EVENT_LIMITED,  /* more than events_per_second */
	WEFT_COUNTERS,
};

struct weft_gate_event {
	__u64 time_ns;
	__u64 expires_ns; /* of the grant that is over; 0 without one */
	__u64 cgroup;     /* outgoing only */
	__u32 interface;  /* incoming only */
	__u32 length;     /* of the packet */
	__u32 pid;        /* outgoing only */
	__u32 uid;        /* outgoing only */
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 family;
	__u8 verdict;
	__u8 reason;
	__u8 source[16];
	__u8 destination[16];
	__u8 token[32]; /* of the grant that is over */
	char command[16];
};

enum weft_probe_kind {
	WEFT_PROBE_EXEC = 1,
	WEFT_PROBE_EXIT = 2,
	WEFT_PROBE_TCP_STATE = 3,
	WEFT_PROBE_BIND = 4,
	WEFT_PROBE_BPF_CALL = 5,
	WEFT_PROBE_EXEC_CHECK = 6,
	WEFT_PROBE_UDP_SEND = 7,
};

enum weft_probe_counter {
	WEFT_PROBE_COUNT_SEEN,
	WEFT_PROBE_COUNT_LOST,    /* the ring was full */
	WEFT_PROBE_COUNT_LIMITED, /* more than events_per_second */
	WEFT_PROBE_COUNTERS,
};

struct weft_probe_config {
	__u32 events_per_second; /* on each CPU; 0: as many as fit */
	__u32 pad;
};

/* One form for every probe; what a kind does not know is 0. */
struct weft_probe_event {
	__u64 time_ns;
	__u64 start_ns; /* when the process started: with pid it names a process for ever */
	__u64 cgroup;
	__u64 bytes;
	__u32 kind;
	__u32 pid;
	__u32 parent;
	__u32 uid;
	__s32 code; /* exit code as wait(2) has it; command of bpf(2) */
	__u16 old_state;
	__u16 new_state;
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 family;
	__u8 pad[2];
	__u8 source[16];
	__u8 destination[16];
	char command[16];
	char path[WEFT_PATH_BYTES];
};

#endif
