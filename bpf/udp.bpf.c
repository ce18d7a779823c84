// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Datagrams that are sent, by process: there is no tracepoint for them.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	__u16 skc_num;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
} KERNEL;

struct msghdr;

static __always_inline int sent(struct sock *sock, __u64 length, __u8 family)
{
	struct weft_probe_event *event = new_event(WEFT_PROBE_UDP_SEND);

	if (event) {
		event->protocol = 17;
		event->family = family;
		event->bytes = length;
		event->source_port = sock->__sk_common.skc_num;
		event->destination_port = bpf_ntohs(sock->__sk_common.skc_dport);
		bpf_ringbuf_submit(event, 0);
	}
	return 0;
}

SEC("fentry/udp_sendmsg")
int BPF_PROG(weft_udp4, struct sock *sock, struct msghdr *message, __u64 length)
{
	return sent(sock, length, WEFT_IPV4);
}

SEC("fentry/udpv6_sendmsg")
int BPF_PROG(weft_udp6, struct sock *sock, struct msghdr *message, __u64 length)
{
	return sent(sock, length, WEFT_IPV6);
}
