"""Builds the compiled ops, `mmdet/_C`, from csrc/; all else about the package is in pyproject.toml.

The library uses torch's stable ABI and no Python header: one file serves every torch from 2.11 on
and every Python. So any such torch will do to build it, of which only headers and libraries are
read: that of the build environment or, since pip makes one without torch, that of the environment
which pip itself runs in. Without torch or a compiler the package comes without the library, its
wheel is named `py3-none-any`, the ops run as their references, and every run warns of it.

torch.utils.cpp_extension does less: it refuses an nvcc of another major version than torch's CUDA,
links libcudart and libtorch_cuda, which a torch without CUDA lacks, knows no architecture where no
GPU is, and runs `ccache` alone for `CXX="ccache g++"`.

The environment:
    CXX, CXXFLAGS, LDFLAGS    the C++ compiler, more options for it and for linking
    NVCC_CCBIN                the C++ compiler below nvcc; else the one that CXX names
    CUDA_HOME                 the CUDA toolkit; else that of the `nvcc` on PATH
    FORCE_CUDA                1: build the CUDA kernels or fail, also with a torch without CUDA;
                              0: leave them out; otherwise built where torch has CUDA and nvcc is
    TORCH_CUDA_ARCH_LIST      their architectures, such as '7.0;8.0;9.0+PTX'; else every
                              generation that nvcc knows, with or without a GPU here
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import INFO
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
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
OLDEST_ARCH = 70  # Volta

force_cuda = os.environ.get('FORCE_CUDA') or None
if force_cuda not in (None, '0', '1'):
    raise SystemExit(f'FORCE_CUDA={force_cuda} is neither 0 nor 1')


def find_torch() -> Path:
    spec = importlib.util.find_spec('torch')
    if spec and spec.origin:
        return Path(spec.origin).parent
    # pip hides the environment that it installs into from its own by PYTHONPATH, which -E
    # ignores; -P leaves out the folder that it builds in.
    find = "import importlib.util as util; print(util.find_spec('torch').origin)"
    found = subprocess.run([sys.executable, '-EP', '-c', find], capture_output=True, text=True)
    if found.returncode:
        raise CompileError(f'torch is needed, and {sys.executable} has none')
    return Path(found.stdout.strip()).parent


def find_cxx() -> list[str]:
    named = shlex.split(os.environ.get('CXX', ''))
    candidates = [named] if named else [['c++'], ['g++'], ['clang++']]
    for command in candidates:
        if shutil.which(command[0]):
            return command
    names = ', '.join(command[0] for command in candidates)
    raise CompileError(f'no C++ compiler was found (looked for {names})')


def nvcc_host_flags(cxx: list[str]) -> list[str]:
    """Return what tells nvcc to use the compiler of a command such as `ccache g++ -m64`."""
    num_words = next((i for i, word in enumerate(cxx) if word.startswith('-')), len(cxx))
    compiler = os.environ.get('NVCC_CCBIN') or cxx[num_words - 1]
    return ['-ccbin', compiler, *(f'-Xcompiler={option}' for option in cxx[num_words:])]


def find_nvcc(torch: Path) -> str | None:
    if force_cuda == '0' or not (force_cuda == '1' or (torch / 'lib/libtorch_cuda.so').exists()):
        return None
    home = os.environ.get('CUDA_HOME')
    candidates = [f'{home}/bin/nvcc'] if home else ['nvcc', '/usr/local/cuda/bin/nvcc']
    nvcc = next(filter(None, map(shutil.which, candidates)), None)
    if force_cuda == '1' and nvcc is None:
        raise CompileError(
            f'FORCE_CUDA=1, but no nvcc was found (looked for {", ".join(candidates)})'
        )
    return nvcc


def arch_flags(nvcc: str) -> list[str]:
    """Return what names the architectures to `nvcc`."""
    listed = os.environ.get('TORCH_CUDA_ARCH_LIST', '').replace(';', ' ').replace(',', ' ').split()
    if not listed:
        return default_arch_flags(nvcc)
    flags: list[str] = []
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


def default_arch_flags(nvcc: str) -> list[str]:
    """Name the first architecture of each generation, whose code runs on all of that generation.

    They are translated from one PTX, of the oldest, since the kernels use nothing newer: all of
    them take 36 s of one core, the one of a single GPU 28, and a PTX for each of four 63. So a
    build serves the nodes of a cluster, whatever GPU the one has on which it is made. The PTX is
    kept, for GPUs that come after.
    """
    numbers = map(int, re.findall(r'compute_(\d+)$', run([nvcc, '--list-gpu-arch']), re.MULTILINE))
    known = sorted(number for number in numbers if number >= OLDEST_ARCH)
    firsts = {number // 10: number for number in reversed(known)}
    codes = [f'sm_{number}' for number in sorted(firsts.values())] + [f'compute_{known[0]}']
    return [f'-gencode=arch=compute_{known[0]},code=[{",".join(codes)}]']


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

    def build_extensions(self) -> None:
        super().build_extensions()
        # What could not be built is no part of the package.
        self.extensions = [
            ext for ext in self.extensions if Path(self.get_ext_fullpath(ext.name)).exists()
        ]
        self.distribution.ext_modules = self.extensions

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
            self.announce(
                'no CUDA kernels: torch is without CUDA, there is no nvcc, or FORCE_CUDA=0', INFO
            )
        else:
            nvcc_command = [nvcc, *nvcc_host_flags(cxx)]
            # The runtime is linked statically: it may be of another version than torch's.
            linker = [*nvcc_command, '-cudart', 'static']
            try:
                architectures = arch_flags(nvcc)
                self.announce(f'CUDA kernels: {nvcc} {" ".join(architectures)}', INFO)
                objects += self.compile_all(
                    [*nvcc_command, *FLAGS, *architectures, '-DUSE_CUDA']
                    + [f'-Xcompiler={flag}' for flag in ('-fPIC', '-fvisibility=hidden')]
                    + includes,
                    [source for source in sources if source.suffix == '.cu'],
                )
            except CompileError as error:
                if force_cuda == '1':
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


class BuildWheel(bdist_wheel):
    """Name the wheel after what it holds, which is known only after the build."""

    def run(self) -> None:
        self.run_command('build')
        self.skip_build = True
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


setup(
    ext_modules=[
        Extension(
            'mmdet._C',
            sorted(str(path) for path in Path('csrc').rglob('*.c[pu]*') if path.suffix != '.cuh'),
            py_limited_api=True,
            optional=force_cuda != '1',
        )
    ],
    cmdclass={'build_ext': BuildKernels, 'bdist_wheel': BuildWheel},
    options={'bdist_wheel': {'py_limited_api': 'cp311'}},
)
