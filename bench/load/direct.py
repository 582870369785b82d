"""The load without any engine: legs in pairs straight to each other, the floor and ceiling of the load itself."""

from santral.bench.load.legs import Legs, Window


def measure(legs: int, seconds: float, core: int | None = 0) -> Window:
    with Legs(legs, core=core) as load:
        for leg in range(legs):
            load.start(leg, load.ports[leg ^ 1])
        return load.window(seconds)
