"""Builds the compiled ops, `mmdet/_C`, from csrc/; all else about the package is in pyproject.toml.

The library uses torch's stable ABI and no Python header: one file serves every torch from 2.11 on
and every Python. Without a compiler, or without torch, the package comes without it, and the ops
run as their references. The environment:
    CXX, CXXFLAGS, LDFLAGS    the C++ compiler, more options for it and for linking
    CUDA_HOME                 the CUDA toolkit; else that of the `nvcc` on PATH
    FORCE_CUDA=1              build the CUDA kernels or fail, also with a torch without CUDA
    TORCH_CUDA_ARCH_LIST      their architectures, such as '7.0;8.0;9.0+PTX'
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import INFO
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

FLAGS = [
    '-std=c++20',
    '-O3',
    '-DNDEBUG',
    '-DTORCH_TARGET_VERSION=0x020b000000000000',  # torch 2.11
]
# Loops become vector instructions where no trap, errno or sign of a zero stands in the way.
VECTOR_FLAGS = ['-fopenmp-simd', '-fno-trapping-math', '-fno-math-errno', '-fno-signed-zeros']
HOST_FLAGS = ['-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', *VECTOR_FLAGS]
# Volta to Hopper; what comes after compiles the PTX of the last one.
DEFAULT_ARCHS = ('7.0', '7.5', '8.0', '8.6', '9.0')

force_cuda = os.environ.get('FORCE_CUDA', '0') not in ('', '0')


def find_torch() -> Path:
    spec = importlib.util.find_spec('torch')
    if spec is None or spec.origin is None:
        raise CompileError(
            'torch is not in the build environment: install it, then use --no-build-isolation'
        )
    return Path(spec.origin).parent


def find_cxx() -> list[str]:
    named = shlex.split(os.environ.get('CXX', ''))
    candidates = [named] if named else [['c++'], ['g++'], ['clang++']]
    for command in candidates:
        if shutil.which(command[0]):
            return command
    names = ', '.join(command[0] for command in candidates)
    raise CompileError(f'no C++ compiler was found (looked for {names})')


def find_nvcc(torch: Path) -> str | None:
    if not force_cuda and not (torch / 'lib/libtorch_cuda.so').exists():
        return None
    home = os.environ.get('CUDA_HOME')
    candidates = [f'{home}/bin/nvcc'] if home else ['nvcc', '/usr/local/cuda/bin/nvcc']
    nvcc = next(filter(None, map(shutil.which, candidates)), None)
    if force_cuda and nvcc is None:
        raise CompileError(
            f'FORCE_CUDA=1, but no nvcc was found (looked for {", ".join(candidates)})'
        )
    return nvcc


def arch_flags(nvcc: str) -> list[str]:
    """Return what names the architectures to `nvcc`."""
    listed = os.environ.get('TORCH_CUDA_ARCH_LIST', '').replace(';', ' ').replace(',', ' ').split()
    if not listed:
        known = run([nvcc, '--list-gpu-arch'])
        listed = [arch for arch in DEFAULT_ARCHS if f'compute_{arch.replace(".", "")}\n' in known]
        listed[-1] += '+PTX'
    flags = []
    for arch in listed:
        match = re.fullmatch(r'(\d+)\.(\d[af]?)(\+PTX)?', arch)
        if not match:
            raise CompileError(
                f"TORCH_CUDA_ARCH_LIST: {arch!r} is not of the form '8.0' or '8.0+PTX'"
            )
        number = match[1] + match[2]
        kinds = ['sm', 'compute'] if match[3] else ['sm']
        flags += [f'-gencode=arch=compute_{number},code={kind}_{number}' for kind in kinds]
    return flags


def run(command: Sequence[str | Path]) -> str:
    """Run a compiler and return what it prints.

    Raises:
        CompileError: it failed.
    """
    try:
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise CompileError(str(error)) from None
    if done.returncode:
        raise CompileError(f'{shlex.join(map(str, command))}\n{done.stdout}')
    return done.stdout


class BuildKernels(build_ext):
    """Compile each source with the C++ compiler or nvcc, as many at a time as there are cores."""

    def build_extension(self, ext: Extension) -> None:
        library = Path(self.get_ext_fullpath(ext.name))
        library.parent.mkdir(parents=True, exist_ok=True)
        library.unlink(missing_ok=True)  # an older one must not stand for a build that failed
        torch, cxx = find_torch(), find_cxx()
        includes = ['-isystem', torch / 'include']
        host_flags = HOST_FLAGS + shlex.split(os.environ.get('CXXFLAGS', ''))
        link_flags = shlex.split(os.environ.get('LDFLAGS', ''))
        sources = [Path(source) for source in ext.sources]

        objects = self.compile_all(
            [*cxx, *FLAGS, *host_flags, *includes],
            [source for source in sources if source.suffix == '.cpp'],
        )
        linker, nvcc = cxx, find_nvcc(torch)
        if nvcc is None:
            self.announce('no CUDA kernels: torch is without CUDA, or there is no nvcc', INFO)
        else:
            # The runtime is linked statically: it may be of another version than torch's.
            linker = [nvcc, '-ccbin', cxx[0], '-cudart', 'static']
            try:
                objects += self.compile_all(
                    [nvcc, '-ccbin', cxx[0], *FLAGS, *arch_flags(nvcc), '-DUSE_CUDA']
                    + [f'-Xcompiler={flag}' for flag in ('-fPIC', '-fvisibility=hidden')]
                    + includes,
                    [source for source in sources if source.suffix == '.cu'],
                )
            except CompileError as error:
                if force_cuda:
                    raise
                self.warn(f'the CUDA kernels could not be compiled and are left out: {error}')
                linker = cxx

        # All of torch's libraries are reached through libtorch, which `import torch` has loaded.
        torch_flags = ['-Xlinker', '--no-as-needed', f'-L{torch / "lib"}', '-ltorch']
        run([*linker, '-shared', *objects, '-o', library, *torch_flags, *link_flags])

    def compile_all(self, command: list[str | Path], sources: list[Path]) -> list[Path]:
        """Compile sources to objects with a command, and return these."""

        def compile_one(source: Path) -> Path:
            compiled = Path(self.build_temp, source).with_suffix(f'{source.suffix}.o')
            compiled.parent.mkdir(parents=True, exist_ok=True)
            self.announce(f'compiling {source}', INFO)
            run([*command, '-c', source, '-o', compiled])
            return compiled

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(compile_one, sources))


setup(
    ext_modules=[
        Extension(
            'mmdet._C',
            sorted(str(path) for path in Path('csrc').rglob('*.c[pu]*') if path.suffix != '.cuh'),
            py_limited_api=True,
            optional=not force_cuda,
        )
    ],
    cmdclass={'build_ext': BuildKernels},
    options={'bdist_wheel': {'py_limited_api': 'cp311'}},
)
