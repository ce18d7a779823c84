// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Processes that end, with their code.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tp_btf/sched_process_exit")
int BPF_PROG(weft_exit, struct task_struct *task)
{
	struct weft_probe_event *event;

	/* Threads end all the time; a process ends with its first thread. */
	if (task->pid != task->tgid)
		return 0;
	event = new_event(WEFT_PROBE_EXIT);
	if (!event)
		return 0;
	event->parent = task->real_parent->tgid;
	event->start_ns = task->start_boottime;
	event->code = task->exit_code;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
