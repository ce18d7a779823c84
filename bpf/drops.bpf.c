// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Packets that the kernel threw away, counted by its own reason (enum skb_drop_reason). No events: there can be millions.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct sk_buff;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEFT_DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} weft_reasons SEC(".maps");

SEC("tp_btf/kfree_skb")
int BPF_PROG(weft_drops, struct sk_buff *packet, void *location, int reason)
{
	/* Numbers that subsystems add above ours are counted together, as the last. */
	__u32 index = (__u32)reason < WEFT_DROP_REASONS ? (__u32)reason : WEFT_DROP_REASONS - 1;
	__u64 *n = bpf_map_lookup_elem(&weft_reasons, &index);

	count(WEFT_PROBE_COUNT_SEEN);
	if (n)
		*n += 1;
	return 0;
}
