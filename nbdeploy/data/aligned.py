"""Whether one picture is a part of another, or the same a little turned or with something laid over it.

Two thumbnails are laid one on the other as well as shifting, stretching and turning can (Gauss-Newton on the grey
values, after Lucas and Kanade 1981), and the worst-fitting cells are left out of the fit, so that a watermark does not
pull. Then the edges are looked at: of the same picture they lie on one another, of two poses of one hand they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KEPT = 0.7  # of the cells
_OVERLAP = 0.6  # of the cells at least: a crop covers the other's middle
_GAIN = 0.4, 2.5  # bounds of the contrast of one to that of the other
_STIFF = 1e-3
_FARTHEST = 1 / 16  # of the side, in one step
_EDGES = 0.25  # of the cells: those where grey values rise the most
_EDGES_ALIKE = 0.7  # of these edges


@dataclass(frozen=True, slots=True)
class Fit:
    """How well second thumbnails lie on first ones. Arrays have one entry a pair."""

    distance: np.ndarray
    """What is left of the variance, over the cells that fit best; infinite where they overlap too little."""
    warp: np.ndarray
    """(pairs, 6): where the cells of the first lie on the second, in cells beside their own place."""


def fit(first: np.ndarray, second: np.ndarray, *, steps: int, warp: np.ndarray | None = None) -> Fit:
    """Lay `second` on `first`, both (pairs, side, side) float32, beginning with `warp`."""
    grid = _Grid(first.shape[1])
    warp = np.zeros((len(first), 6), np.float32) if warp is None else warp.astype(np.float32)
    best, best_warp = np.full(len(first), np.inf, np.float32), warp.copy()
    target = first.reshape(len(first), first.shape[1] * first.shape[2])
    for step in range(steps + 1):
        seen, inside = grid.sample(second, warp)
        left, gain, kept = _left(target, seen, inside)
        distance = _mean(left**2, kept) / np.maximum(_mean((target - _mean(target, inside)[:, None]) ** 2, inside), 1)
        distance[inside.mean(1) < _OVERLAP] = np.inf
        better = distance < best
        best[better], best_warp[better] = distance[better], warp[better]
        if step < steps:
            warp = warp + grid.step(seen, left, kept, gain)
    return Fit(best, best_warp)


def edges_apart(first: np.ndarray, second: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """How far apart the edges lie, one figure a pair: what is left at them, as a share of how steep they are."""
    grid = _Grid(first.shape[1])
    target = first.reshape(len(first), first.shape[1] * first.shape[2])
    seen, inside = grid.sample(second, warp)
    left, gain, _ = _left(target, seen, inside)
    steep = (grid.steepness(target) + gain[:, None] * grid.steepness(seen)) * inside
    number = int(_EDGES * target.shape[1])
    edges = np.argpartition(-steep, number, axis=1)[:, :number]
    at_edges = np.abs(np.take_along_axis(left, edges, 1))
    place = int(_EDGES_ALIKE * number)
    usual = np.take_along_axis(steep, edges, 1).mean(1) / 4  # two pictures, two sides
    return np.asarray(np.partition(at_edges, place, axis=1)[:, place] / (usual + 1))


def _left(target: np.ndarray, seen: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is left of `target` after `seen`, the gain between them, and the cells that fit best."""
    left, _ = _lit_alike(target, seen, inside)
    apart = np.where(inside > 0, np.abs(left), np.inf)
    place = int(_KEPT * target.shape[1]) - 1
    limit = np.partition(apart, place, axis=1)[:, place, None]
    kept = ((apart <= limit) & np.isfinite(apart)).astype(np.float32)
    return *_lit_alike(target, seen, kept), kept


def _lit_alike(target: np.ndarray, seen: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    one, other = target - _mean(target, weight)[:, None], seen - _mean(seen, weight)[:, None]
    gain = np.clip(_mean(one * other, weight) / np.maximum(_mean(other**2, weight), 1e-6), *_GAIN)
    return one - gain[:, None] * other, gain


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("nc,nc->n", values, weight) / np.maximum(weight.sum(1), 1))


class _Grid:
    """The cells of a square thumbnail, and what can be done with many of them."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.y, self.x = np.mgrid[0:side, 0:side].astype(np.float32).reshape(2, -1)
        middle = (side - 1) / 2
        self.ways = np.stack([np.ones_like(self.x), (self.x - middle) / (side / 2), (self.y - middle) / (side / 2)])
        self._products = (self.ways[:, None] * self.ways).reshape(9, -1).T.copy()
        self._stiff = np.eye(6, dtype=np.float32)

    def sample(self, pictures: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(pictures, cells): grey values at the warped places, and whether these lie inside, as 0 and 1."""
        last = self.side - 1
        x, y = self.x + warp[:, :3] @ self.ways, self.y + warp[:, 3:] @ self.ways
        inside = (x >= 0) & (x <= last) & (y >= 0) & (y <= last)
        left, top = (np.clip(np.floor(place), 0, last - 1).astype(np.int32) for place in (x, y))
        across, down = np.clip(x - left, 0, 1), np.clip(y - top, 0, 1)
        at = np.arange(len(pictures))[:, None] * self.side**2 + (top * self.side + left)
        flat = pictures.reshape(-1)
        above, below = flat.take(at), flat.take(at + self.side)
        above += across * (flat.take(at + 1) - above)
        below += across * (flat.take(at + self.side + 1) - below)
        above += down * (below - above)
        return above, inside.astype(np.float32)

    def step(self, seen: np.ndarray, left: np.ndarray, kept: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """The change of the warp that lessens what is left."""
        weight = kept * gain[:, None]
        across, down = (slope * weight for slope in self._slopes(seen))
        square = np.empty((len(seen), 6, 6), np.float32)
        square[:, :3, :3] = (across * across @ self._products).reshape(-1, 3, 3)
        square[:, 3:, 3:] = (down * down @ self._products).reshape(-1, 3, 3)
        square[:, :3, 3:] = square[:, 3:, :3] = (across * down @ self._products).reshape(-1, 3, 3)
        ridge = _STIFF * (np.trace(square, axis1=1, axis2=2) / 6 + 1)
        square += ridge[:, None, None] * self._stiff
        wanted = np.concatenate([across * left @ self.ways.T, down * left @ self.ways.T], axis=1)
        most = self.side * _FARTHEST
        return np.asarray(np.clip(np.linalg.solve(square, wanted[..., None])[..., 0], -most, most))

    def steepness(self, values: np.ndarray) -> np.ndarray:
        across, down = self._slopes(values)
        return np.asarray(2 * (np.abs(across) + np.abs(down)))

    def _slopes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        square = values.reshape(-1, self.side, self.side)
        across, down = np.zeros_like(square), np.zeros_like(square)
        across[:, :, 1:-1] = (square[:, :, 2:] - square[:, :, :-2]) / 2
        down[:, 1:-1] = (square[:, 2:] - square[:, :-2]) / 2
        return across.reshape(values.shape), down.reshape(values.shape)
