"""Keep the libraries that connect processes on this machine: by themselves they take the address of the network."""

import os

# By library: gloo and NCCL (torch.distributed) name an interface, vLLM an address.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", "VLLM_HOST_IP": "127.0.0.1"}


def stay_on_loopback() -> None:
    """Let this process and its children listen on the loopback alone; call it before they connect."""
    os.environ.update(LOOPBACK)
