// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Programs that are about to begin, before the kernel agrees: also those that are refused afterwards.
#include "probe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct linux_binprm {
	const char *filename;
} KERNEL;

SEC("lsm/bprm_check_security")
int BPF_PROG(weft_exec_check, struct linux_binprm *program)
{
	struct weft_probe_event *event = new_event(WEFT_PROBE_EXEC_CHECK);

	if (event) {
		bpf_probe_read_kernel_str(event->path, sizeof(event->path), program->filename);
		bpf_ringbuf_submit(event, 0);
	}
	return 0;
}
