// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Who else speaks to BPF on this host: a gate that is on by BPF is taken off by BPF. Calls of the agent itself are seen, too.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("lsm/bpf")
int BPF_PROG(weft_bpf_calls, int command, union bpf_attr *attr, unsigned int size)
{
	struct weft_probe_event *event;

	/* Looking is no change, and there is much of it. */
	if (command == BPF_MAP_LOOKUP_ELEM || command == BPF_MAP_GET_NEXT_KEY || command == BPF_OBJ_GET_INFO_BY_FD)
		return 0;
	event = new_event(WEFT_PROBE_BPF_CALL);
	if (event) {
		event->code = command;
		bpf_ringbuf_submit(event, 0);
	}
	return 0;
}
