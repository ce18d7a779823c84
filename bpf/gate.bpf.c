// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The gate: what comes in for a guarded port passes only while a grant for it runs. Every packet is asked, not only the
// first of a connection, so what is revoked or over stops at once; the end of a grant is compared here, with no help from the
// agent. It sees what enters at the interfaces that it is attached to and knows nothing of what leaves.
#include "packet.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline int refuse(struct xdp_md *ctx, const struct weft_config *config, const struct flow *flow,
				  __u64 now, __u8 reason, const struct weft_grant *over)
{
	int enforce = config->mode == WEFT_MODE_ENFORCE;
	struct weft_gate_event *event;

	count(enforce ? WEFT_COUNT_REFUSED : WEFT_COUNT_OBSERVED);
	event = new_event(config, now);
	if (event) {
		describe(event, flow, now, enforce ? WEFT_REFUSED : WEFT_PASSED, reason, over);
		event->interface = ctx->ingress_ifindex;
		event->length = bpf_xdp_get_buff_len(ctx);
		bpf_ringbuf_submit(event, 0);
	}
	return enforce ? XDP_DROP : XDP_PASS;
}

/* With frags: otherwise native mode refuses interfaces with jumbo frames. The headers are in the first buffer, or the packet is refused. */
SEC("xdp.frags")
int weft_gate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct weft_config *config;
	struct weft_grant *grant;
	struct flow flow = {};
	__u32 zero = 0;
	__u64 now;

	config = bpf_map_lookup_elem(&weft_config, &zero);
	if (!config || config->mode == WEFT_MODE_OFF)
		return XDP_PASS;
	switch (parse(data, end, &flow)) {
	case PACKET_OTHER:
		count(WEFT_COUNT_OTHER);
		return XDP_PASS;
	case PACKET_MALFORMED:
		count(WEFT_COUNT_MALFORMED);
		return refuse(ctx, config, &flow, bpf_ktime_get_boot_ns(), WEFT_MALFORMED, 0);
	case PACKET_FRAGMENT:
		if (config->flags & WEFT_REFUSE_FRAGMENTS) {
			count(WEFT_COUNT_FRAGMENT);
			return refuse(ctx, config, &flow, bpf_ktime_get_boot_ns(), WEFT_FRAGMENT, 0);
		}
		count(WEFT_COUNT_LATER_FRAGMENT);
		return XDP_PASS;
	case PACKET_FLOW:
		break;
	}
	if (!guarded(&flow)) {
		count(WEFT_COUNT_UNGUARDED);
		return XDP_PASS;
	}
	now = bpf_ktime_get_boot_ns();
	grant = find_grant(&flow, now);
	if (grant && grant->expires_ns > now) {
		__sync_fetch_and_add(&grant->packets, 1);
		__sync_fetch_and_add(&grant->bytes, bpf_xdp_get_buff_len(ctx));
		count(WEFT_COUNT_GRANTED);
		return XDP_PASS;
	}
	count(grant ? WEFT_COUNT_EXPIRED : WEFT_COUNT_NO_GRANT);
	return refuse(ctx, config, &flow, now, grant ? WEFT_EXPIRED : WEFT_NO_GRANT, grant);
}
