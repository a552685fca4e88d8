"""How long an acknowledgement takes at half the rate that must be reached: 25,000 points/s and 7,500 spans/s."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.bench import load
from tests.bench.ingest import monitorx

SECONDS = 10
POINTS_PER_S, SPANS_PER_S = 25_000, 7_500
POINTS_A_REQUEST = 1_000


def main() -> None:
    """Print the quantiles."""
    spans = load.spans(SECONDS * SPANS_PER_S // load.SPANS_A_REQUEST)
    points = load.points(SECONDS * POINTS_PER_S // POINTS_A_REQUEST, a_request=POINTS_A_REQUEST)
    with monitorx() as (_, peer), ThreadPoolExecutor(2) as pool:
        load.send(load.spans(20), peer.address)
        cpu = peer.cpu_s()
        jobs = [
            pool.submit(load.send, each, peer.address, per_second=len(each.bodies) / SECONDS)
            for each in (spans, points)
        ]
        took_ms = np.concatenate([job.result() for job in jobs]) * 1000
        share = (peer.cpu_s() - cpu) / SECONDS
        resident = peer.resident_mb()
    p50, p99, worst = np.quantile(took_ms, [0.5, 0.99, 1.0])
    print(
        f"{SPANS_PER_S:,} spans/s + {POINTS_PER_S:,} points/s for {SECONDS} s: acknowledged in p50 {p50:.1f} ms, ",
        end="",
    )
    print(f"p99 {p99:.1f} ms, worst {worst:.1f} ms; {share:.0%} of a core, {resident:.0f} MB resident")


if __name__ == "__main__":
    main()
