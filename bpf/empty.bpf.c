// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the benchmark compares the gate with, and what tells whether XDP can be loaded at all.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp.frags")
int weft_empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}
