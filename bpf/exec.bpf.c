// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Programs that begin: which file, in which process, of which parent.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct linux_binprm {
	const char *filename;
} KERNEL;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(weft_exec, struct task_struct *task, int old_pid, struct linux_binprm *program)
{
	struct weft_probe_event *event = new_event(WEFT_PROBE_EXEC);

	if (!event)
		return 0;
	event->parent = task->real_parent->tgid;
	event->start_ns = task->group_leader->start_boottime;
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), program->filename);
	bpf_ringbuf_submit(event, 0);
	return 0;
}
