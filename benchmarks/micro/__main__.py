"""Entry of ``python -m benchmarks.micro``: pyperf's runner with its options, then one table."""

import pyperf

from benchmarks.machine import revision
from benchmarks.micro.cases import CASES, Case

__all__ = ["main", "table"]

PROCESSES = 8  # pyperf has 20; fewer show the spread as well, and take only four minutes
# pyperf would write down the computer's name and the folders of its Python.
ANONYMOUS = {"hostname": "unnamed", "python_executable": "python", "python_config_args": "unnamed"}


def main() -> None:
    """Time every case and print a table. In a worker process of pyperf, time one case and print nothing."""
    runner = pyperf.Runner(processes=PROCESSES, program_args=("-m", "benchmarks.micro"))
    runner.metadata.update(ANONYMOUS, revision=revision())
    timed = [(case, runner.bench_func(case.name, case.call)) for case in CASES]
    if not runner.parse_args().worker:
        print(table([(case, found) for case, found in timed if found]))


def table(timed: list[tuple[Case, pyperf.Benchmark]]) -> str:
    """Write the median of each case and its lowest and highest value, and the nanoseconds for each byte read."""
    lines = [f"{'':44}{'median':>10}{'lowest':>10}{'highest':>10}{'ns/byte':>10}"]
    for case, found in timed:
        values = found.get_values()
        times = "".join(f"{found.format_value(each):>10}" for each in (found.median(), min(values), max(values)))
        each_byte = f"{found.median() * 1e9 / len(case.field):.1f}" if case.field else ""
        lines.append(f"{case.name:44}{times}{each_byte:>10}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
