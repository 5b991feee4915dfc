"""Running the tools as their users do: as processes."""

import subprocess
import sys

from tests.conftest import REPO


def run_tool(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Run `python *arguments` from the repository's root."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPO, env=environment, capture_output=True, text=True
    )


def torchrun(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Run a script in two processes."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    return run_tool(*launcher, *arguments, '--launcher', 'pytorch', environment=environment)
