/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * From an Ethernet frame to the flow that it belongs to. Reads only; every read is behind a comparison with `end`.
 */
#ifndef WEFT_PACKET_H
#define WEFT_PACKET_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "grants.h"

#define VLAN_TAGS_MAX 2
#define IPV6_HEADERS_MAX 8
#define OFFSET_V4 0x1fff
#define OFFSET_V6 0xfff8

enum packet_kind {
	PACKET_FLOW,      /* TCP or UDP with its ports */
	PACKET_OTHER,     /* no IP, or another protocol on it */
	PACKET_FRAGMENT,  /* not the fragment with the ports */
	PACKET_MALFORMED, /* cut off, contradicts itself, or hides its ports behind more headers than we read */
};

struct vlan_tag {
	__be16 control;
	__be16 protocol;
};

struct extension {
	__u8 next;
	__u8 length;
	__be16 fragment; /* of a fragment header: offset and flags */
	__u32 rest;
};

/* Every IPv6 extension header is at least this long. */
_Static_assert(sizeof(struct extension) == 8, "an extension header has 8 bytes at least");

static __always_inline enum packet_kind transport(void *at, void *end, __u8 protocol, struct flow *flow)
{
	struct udphdr *ports = at; /* TCP has its ports in the same place */

	flow->protocol = protocol;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return PACKET_OTHER;
	if ((void *)(ports + 1) > end)
		return PACKET_MALFORMED;
	flow->source_port = bpf_ntohs(ports->source);
	flow->port = bpf_ntohs(ports->dest);
	return PACKET_FLOW;
}

static __always_inline enum packet_kind ipv4(void *at, void *end, struct flow *flow)
{
	struct iphdr *ip = at;
	__u8 protocol;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return PACKET_MALFORMED;
	flow->family = WEFT_IPV4;
	mapped(flow->source, ip->saddr);
	mapped(flow->destination, ip->daddr);
	protocol = ip->protocol;
	if (ip->frag_off & bpf_htons(OFFSET_V4)) {
		flow->protocol = protocol;
		return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? PACKET_FRAGMENT : PACKET_OTHER;
	}
	at += ip->ihl * 4;
	if (protocol == IPPROTO_AH) {
		struct extension *ah = at;

		if ((void *)(ah + 1) > end)
			return PACKET_MALFORMED;
		protocol = ah->next;
		at += (ah->length + 2) * 4;
	}
	return transport(at, end, protocol, flow);
}

static __always_inline int v4_mapped(const __u64 *address)
{
	return address[0] == 0 && (address[1] & bpf_cpu_to_be64(0xffffffff00000000ULL)) == bpf_cpu_to_be64(0xffff00000000ULL);
}

static __always_inline enum packet_kind ipv6(void *at, void *end, struct flow *flow)
{
	struct ipv6hdr *ip = at;
	__u8 protocol;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return PACKET_MALFORMED;
	flow->family = WEFT_IPV6;
	__builtin_memcpy(flow->source, &ip->saddr, 16);
	__builtin_memcpy(flow->destination, &ip->daddr, 16);
	/* Never on the wire (RFC 4942, 2.2); here they would read like IPv4. */
	if (v4_mapped(flow->source) || v4_mapped(flow->destination))
		return PACKET_MALFORMED;
	protocol = ip->nexthdr;
	at = ip + 1;
	for (int i = 0; i <= IPV6_HEADERS_MAX; i++) {
		struct extension *header = at;

		switch (protocol) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_FRAGMENT:
		case IPPROTO_AH:
			break;
		default:
			return transport(at, end, protocol, flow);
		}
		if (i == IPV6_HEADERS_MAX || (void *)(header + 1) > end)
			return PACKET_MALFORMED;
		if (protocol == IPPROTO_FRAGMENT) {
			/* What follows the header of a later fragment is not a header, whatever `next` says: the first one says. */
			if (header->fragment & bpf_htons(OFFSET_V6)) {
				flow->protocol = header->next;
				return PACKET_FRAGMENT;
			}
			at += 8;
		} else if (protocol == IPPROTO_AH) {
			at += (header->length + 2) * 4;
		} else {
			at += (header->length + 1) * 8;
		}
		protocol = header->next;
	}
	return PACKET_MALFORMED;
}

static __always_inline enum packet_kind parse(void *at, void *end, struct flow *flow)
{
	struct ethhdr *ethernet = at;
	__be16 protocol;

	at = ethernet + 1;
	if (at > end)
		return PACKET_MALFORMED;
	protocol = ethernet->h_proto;
	for (int i = 0; i <= VLAN_TAGS_MAX; i++) {
		struct vlan_tag *tag = at;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (i == VLAN_TAGS_MAX || (void *)(tag + 1) > end)
			return PACKET_MALFORMED;
		protocol = tag->protocol;
		at = tag + 1;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		return ipv4(at, end, flow);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return ipv6(at, end, flow);
	return PACKET_OTHER;
}

#endif
