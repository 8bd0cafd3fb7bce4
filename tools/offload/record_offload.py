"""Records in which order diffusers moves a model's weights, with the bytes of each tensor.

    python3 tools/offload/record_offload.py > tests/offload_copies/wan_transformer.json

Needs torch, diffusers 0.42; no GPU: the model is on torch's meta device, what would copy is written down.
Two forwards are run, since streams learn the order in the first; the second is recorded.
"""
import json

import torch
from diffusers import WanTransformer3DModel
from diffusers.hooks import group_offloading as g

LAYERS = 5
KEPT = WanTransformer3DModel._keep_in_fp32_modules


def model():
    with torch.device("meta"):
        out = WanTransformer3DModel(num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16,
                                    text_dim=4096, freq_dim=256, ffn_dim=8960, num_layers=LAYERS)
    for name, p in out.named_parameters():
        p.data = p.data.to(torch.float32 if any(k in name.split(".") for k in KEPT) else torch.bfloat16)
    return out.eval().requires_grad_(False)


def forward(m):
    x = torch.empty(1, 16, 1, 8, 8, device="meta", dtype=torch.bfloat16)
    text = torch.empty(1, 512, 4096, device="meta", dtype=torch.bfloat16)
    m(x, torch.zeros(1, device="meta", dtype=torch.int64), text, return_dict=False)


class Stream:
    def synchronize(self):
        pass


events = []


def tensors(group):
    """What is there already is not copied again: parameters of modules without blocks are listed twice."""
    everything = [t for m in group.modules for t in (*m.parameters(), *m.buffers())]
    return {id(t): t for t in (*everything, *group.parameters, *group.buffers)}.values()


def size(t):
    return t.numel() * t.element_size()


def record_group(**options):
    class Group(g.ModuleGroup):
        def _init_cpu_param_dict(self):
            return {}

        def onload_(self):
            events.extend(["in stream" if self.stream is not None else "in", size(t)] for t in tensors(self))

        def offload_(self):
            events.extend(["drop" if self.stream is not None else "out", size(t)] for t in tensors(self))

    g.ModuleGroup, plain = Group, g.ModuleGroup
    g.send_to_device = lambda x, *_, **__: x
    try:
        m = model()
        stream = Stream() if options.pop("use_stream", False) else None
        config = g.GroupOffloadingConfig(torch.device("cpu"), torch.device("cpu"), non_blocking=False,
                                         record_stream=False, low_cpu_mem_usage=False, stream=stream, **options)
        g._apply_group_offloading(m, config)
        forward(m)
        events.clear()
        forward(m)
    finally:
        g.ModuleGroup = plain
    return list(events)


def runs(list_of):
    """[what, bytes, ...] for what follows on each other."""
    out = []
    for what, size_of in list_of:
        if not out or out[-1][0] != what:
            out.append([what])
        out[-1].append(size_of)
    return out


recorded = {"layers": LAYERS}
for name, options in {
        "block_level 1": dict(offload_type=g.GroupOffloadingType.BLOCK_LEVEL, num_blocks_per_group=1),
        "block_level 2": dict(offload_type=g.GroupOffloadingType.BLOCK_LEVEL, num_blocks_per_group=2),
        "block_level stream": dict(offload_type=g.GroupOffloadingType.BLOCK_LEVEL, num_blocks_per_group=1, use_stream=True),
        "leaf_level": dict(offload_type=g.GroupOffloadingType.LEAF_LEVEL),
        "leaf_level stream": dict(offload_type=g.GroupOffloadingType.LEAF_LEVEL, use_stream=True)}.items():
    recorded[name] = runs(record_group(**options))
print("{")
for i, (name, value) in enumerate(recorded.items()):
    print(f"{json.dumps(name)}: {json.dumps(value)}" + ("," if i + 1 < len(recorded) else ""))
print("}")
