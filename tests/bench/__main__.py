"""`make bench`: every benchmark, one after the other."""

from tests.bench import decode, evaluate, ingest, journal, latency, predict, start

if __name__ == "__main__":
    for bench in (start, predict, decode, journal, latency, evaluate, ingest):
        print(f"\n## {bench.__name__.rsplit('.', 1)[-1]}\n\n{bench.__doc__ or ''}", flush=True)
        bench.main()
