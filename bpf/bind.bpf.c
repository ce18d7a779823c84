// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Sockets of a cgroup that took an address: servers, and UDP in both directions. Asked after the kernel has chosen the port.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline struct weft_probe_event *bound(struct bpf_sock *sock, __u8 family)
{
	struct weft_probe_event *event = new_event(WEFT_PROBE_BIND);

	if (!event)
		return 0;
	event->protocol = sock->protocol;
	event->family = family;
	event->source_port = sock->src_port;
	return event;
}

SEC("cgroup/post_bind4")
int weft_bind4(struct bpf_sock *sock)
{
	struct weft_probe_event *event = bound(sock, WEFT_IPV4);
	__u32 ip;

	if (event) {
		ip = sock->src_ip4;
		event->source[10] = 0xff;
		event->source[11] = 0xff;
		__builtin_memcpy(event->source + 12, &ip, 4);
		bpf_ringbuf_submit(event, 0);
	}
	return 1;
}

SEC("cgroup/post_bind6")
int weft_bind6(struct bpf_sock *sock)
{
	struct weft_probe_event *event = bound(sock, WEFT_IPV6);
	__u32 words[4];

	if (event) {
		words[0] = sock->src_ip6[0];
		words[1] = sock->src_ip6[1];
		words[2] = sock->src_ip6[2];
		words[3] = sock->src_ip6[3];
		__builtin_memcpy(event->source, words, 16);
		bpf_ringbuf_submit(event, 0);
	}
	return 1;
}
