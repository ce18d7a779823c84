// SPDX-License-Identifier: MIT OR GPL-2.0-only
// TCP connections from state to state. Later states change in interrupts: pid and command are right for SYN_SENT, LISTEN and
// a CLOSE by the program, and whoever happened to run otherwise.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct in6_addr {
	__u8 s6_addr[16];
} KERNEL;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
} KERNEL;

#define AF_INET 2
#define AF_INET6 10

static __always_inline void v4(__u8 *address, __be32 ip)
{
	address[10] = 0xff;
	address[11] = 0xff;
	__builtin_memcpy(address + 12, &ip, 4);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(weft_tcp, struct sock *sock, int old_state, int new_state)
{
	struct weft_probe_event *event;

	if (sock->sk_protocol != 6)
		return 0;
	event = new_event(WEFT_PROBE_TCP_STATE);
	if (!event)
		return 0;
	event->old_state = old_state;
	event->new_state = new_state;
	event->protocol = 6;
	event->source_port = sock->__sk_common.skc_num;
	event->destination_port = bpf_ntohs(sock->__sk_common.skc_dport);
	if (sock->__sk_common.skc_family == AF_INET) {
		event->family = WEFT_IPV4;
		v4(event->source, sock->__sk_common.skc_rcv_saddr);
		v4(event->destination, sock->__sk_common.skc_daddr);
	} else if (sock->__sk_common.skc_family == AF_INET6) {
		event->family = WEFT_IPV6;
		bpf_probe_read_kernel(event->source, 16, &sock->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(event->destination, 16, &sock->__sk_common.skc_v6_daddr);
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}
