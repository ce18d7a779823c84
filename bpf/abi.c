// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Never loaded: compiled only so that its BTF tells dist/abi.json what abi.h says.
#include "abi.h"

#define SAY(kind, name) kind name say_##name

SAY(enum, weft_limits);
SAY(enum, weft_mode);
SAY(enum, weft_config_flags);
SAY(enum, weft_guard);
SAY(enum, weft_family);
SAY(enum, weft_verdict);
SAY(enum, weft_reason);
SAY(enum, weft_counter);
SAY(enum, weft_probe_kind);
SAY(enum, weft_probe_counter);
SAY(struct, weft_config);
SAY(struct, weft_shapes);
SAY(struct, weft_grant_key);
SAY(struct, weft_grant);
SAY(struct, weft_gate_event);
SAY(struct, weft_probe_config);
SAY(struct, weft_probe_event);
