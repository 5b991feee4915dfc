"""Two distributions that install one package: pip lets them overwrite each other's files."""

import sys
from importlib.metadata import distributions

# Whose they are, and what else installs the package of that name: OpenMMLab's, and forks of it.
# To look these up takes 1 ms; to ask every installed distribution for its files, 170.
OWNERS = {
    'mmdet': ('mmdet-solo', 'mmdet', 'onedl-mmdetection'),
    'mmengine': ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
    'mmcv': ('mmcv-lite', 'mmcv', 'mmcv-full', 'onedl-mmcv'),
}


def check_owners() -> None:
    """See that no folder of packages has two owners of this package or of one that it needs.

    Two of the same version pass: `mmcv` and `mmcv-lite` then have the same files.

    Raises:
        ImportError: one has, so that the files of the package may be of either.
    """
    for package, names in OWNERS.items():
        folders: dict[str, dict[str, str]] = {}
        for name in names:
            for distribution in distributions(name=name):
                folder = folders.setdefault(str(distribution.locate_file('')), {})
                folder[name] = distribution.version
        for folder, versions in folders.items():
            if len(set(versions.values())) > 1:
                found = ' and '.join(f'{name} {version}' for name, version in versions.items())
                raise ImportError(
                    f'{found} in {folder} both install the package {package}, whose files may be '
                    f'of either: {sys.executable} -m pip uninstall {" ".join(versions)}, then '
                    f'install {"this package" if package == "mmdet" else names[0]} again'
                )
