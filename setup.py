"""The repository's root, installed as the package `darkroom`; all else is in pyproject.toml."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NAME = "darkroom"
NOT_INSTALLED = ("benchmarks", "tests", "tools")


class BuildPackage(build_py):
    """Leaves out this file, which lies beside the package's modules."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Returns package, name and file of each module."""
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if module[1] != "setup"]


setup(
    cmdclass={"build_py": BuildPackage},
    package_dir={NAME: "."},
    packages=[
        NAME,
        *(f"{NAME}.{p}" for p in find_packages(exclude=[f"{n}*" for n in NOT_INSTALLED])),
    ],
)
