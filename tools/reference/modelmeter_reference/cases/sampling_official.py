"""The official denoising loop around the transformer: wan/text2video.py with wan/utils/fm_solvers*.py, under autocast(bf16)."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head, official
from ..fake_cuda import DEVICE, tensor
from ..recorder import Host

_CONFIG = {"solver": "unipc", "steps": 50, "shift": 5.0, "guide_scale": 5.0, "num_train_timesteps": 1000}


class _Transformer(torch.nn.Module):
    """Stands for the transformer: gives a noise prediction like each latent."""

    def forward(self, x: list[torch.Tensor], t: torch.Tensor) -> list[torch.Tensor]:
        return [torch.empty_like(u) for u in x]


class _FirstTimestep(Host):
    """The loop asks once for the place of its time step: the first of the list, and there once."""

    nonzeros = 1

    def scalar(self, kernel: str) -> int:
        assert kernel == "aten.nonzero"
        return 0


def build(case: Case, repositories: dict[str, Path]) -> Run:
    unipc, dpm = official(repositories["2.1"], "wan.utils.fm_solvers_unipc", "wan.utils.fm_solvers")
    config = {**_CONFIG, **case.config}
    module = torch.nn.Module()
    module.model = _Transformer()
    noise = [tensor(*case.workload["latent"], dtype=torch.float32)]

    def schedule():
        if config["solver"] == "unipc":
            scheduler = unipc.FlowUniPCMultistepScheduler(
                num_train_timesteps=config["num_train_timesteps"], shift=1, use_dynamic_shifting=False)
            scheduler.set_timesteps(config["steps"], device=DEVICE, shift=config["shift"])
            return scheduler, scheduler.timesteps
        scheduler = dpm.FlowDPMSolverMultistepScheduler(
            num_train_timesteps=config["num_train_timesteps"], shift=1, use_dynamic_shifting=False)
        sigmas = dpm.get_sampling_sigmas(config["steps"], config["shift"])
        return scheduler, dpm.retrieve_timesteps(scheduler, device=DEVICE, sigmas=sigmas)[0]

    def forward():
        # The loop of WanT2V.generate, statement by statement: its local variables hold memory.
        with torch.autocast("cuda", dtype=torch.bfloat16):
            sample_scheduler, timesteps = schedule()
            latents = noise
            for t in timesteps:
                latent_model_input = latents
                timestep = [t]
                timestep = torch.stack(timestep)
                noise_pred_cond = module.model(latent_model_input, t=timestep)[0]
                noise_pred_uncond = module.model(latent_model_input, t=timestep)[0]
                noise_pred = noise_pred_uncond + config["guide_scale"] * (noise_pred_cond - noise_pred_uncond)
                temp_x0 = sample_scheduler.step(noise_pred.unsqueeze(0), t, latents[0].unsqueeze(0),
                                                return_dict=False, generator=None)[0]
                latents = [temp_x0.squeeze(0)]
            return latents

    source = "fm_solvers_unipc.py" if config["solver"] == "unipc" else "fm_solvers.py"
    return Run(module, forward, noise,
               head(case, f"Wan2.1 @9737cba wan/text2video.py denoising loop with wan/utils/{source} under "
                          "autocast(bf16), without the transformer", "official", config,
                    {"batch_size": 1, "latent": case.workload["latent"]}, "none"), host=_FirstTimestep())
