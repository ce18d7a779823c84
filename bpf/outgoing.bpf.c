// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The gate for what goes out: processes of a cgroup reach a guarded port elsewhere only while a grant for it runs; otherwise
// connect(2) and sendmsg(2) say EPERM. It is asked when a connection begins and for every datagram of a socket that is not
// connected; what was connected before stays until the gate of the other side ends it. The source of a grant plays no part
// here: a socket often has no address yet. The agent puts in only those grants whose source this host is.
#include "grants.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { REFUSE = 0, ALLOW = 1 };

static __always_inline int decide(struct bpf_sock_addr *ctx, struct flow *flow, const struct weft_config *config)
{
	int enforce = config->mode == WEFT_MODE_ENFORCE;
	struct weft_gate_event *event;
	struct weft_grant *grant;
	__u64 now, task;

	flow->port = bpf_ntohs((__u16)ctx->user_port);
	flow->protocol = ctx->protocol;
	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP) {
		count(WEFT_COUNT_OTHER);
		return ALLOW;
	}
	if (!guarded(flow)) {
		count(WEFT_COUNT_UNGUARDED);
		return ALLOW;
	}
	now = bpf_ktime_get_boot_ns();
	grant = find_grant(flow, now);
	if (grant && grant->expires_ns > now) {
		__sync_fetch_and_add(&grant->packets, 1);
		count(WEFT_COUNT_GRANTED);
		return ALLOW;
	}
	count(grant ? WEFT_COUNT_EXPIRED : WEFT_COUNT_NO_GRANT);
	count(enforce ? WEFT_COUNT_REFUSED : WEFT_COUNT_OBSERVED);
	event = new_event(config, now);
	if (event) {
		describe(event, flow, now, enforce ? WEFT_REFUSED : WEFT_PASSED, grant ? WEFT_EXPIRED : WEFT_NO_GRANT, grant);
		task = bpf_get_current_pid_tgid();
		event->pid = task >> 32;
		event->uid = (__u32)bpf_get_current_uid_gid();
		event->cgroup = bpf_get_current_cgroup_id();
		bpf_get_current_comm(event->command, sizeof(event->command));
		bpf_ringbuf_submit(event, 0);
	}
	return enforce ? REFUSE : ALLOW;
}

static __always_inline const struct weft_config *active(void)
{
	__u32 zero = 0;
	struct weft_config *config = bpf_map_lookup_elem(&weft_config, &zero);

	return config && config->mode != WEFT_MODE_OFF ? config : 0;
}

static __always_inline int ask4(struct bpf_sock_addr *ctx)
{
	const struct weft_config *config = active();
	struct flow flow = { .family = WEFT_IPV4 };

	if (!config)
		return ALLOW;
	mapped(flow.source, 0);
	mapped(flow.destination, ctx->user_ip4);
	return decide(ctx, &flow, config);
}

static __always_inline int ask6(struct bpf_sock_addr *ctx)
{
	const struct weft_config *config = active();
	struct flow flow = { .family = WEFT_IPV6 };
	__u32 words[4];

	if (!config)
		return ALLOW;
	words[0] = ctx->user_ip6[0];
	words[1] = ctx->user_ip6[1];
	words[2] = ctx->user_ip6[2];
	words[3] = ctx->user_ip6[3];
	/* A socket of IPv6 reaches IPv4 through mapped addresses: the same destination, so the same grant. */
	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff)) {
		flow.family = WEFT_IPV4;
		mapped(flow.source, 0);
	}
	__builtin_memcpy(flow.destination, words, sizeof(words));
	return decide(ctx, &flow, config);
}

SEC("cgroup/connect4")
int weft_connect4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx);
}

SEC("cgroup/connect6")
int weft_connect6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx);
}

SEC("cgroup/sendmsg4")
int weft_sendmsg4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx);
}

SEC("cgroup/sendmsg6")
int weft_sendmsg6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx);
}
