"""Bodies that exist: random changes of mass, centre of mass and inertia that keep the pseudo-inertia positive definite.

C. Rucker and P. M. Wensing, "Smooth Parameterization of Rigid-Body Inertia", IEEE RA-L 7(2), 2022: the 4 x 4
pseudo-inertia of a perturbed body is U J U^T, where J is the nominal one and U is upper triangular with exponentials on
its diagonal. Every real parameter vector gives a body with positive mass and a density that is positive everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...frames import quat_from_matrix, rotate

Array = NDArray[np.float64]


def perturbed_inertia(
    mass: Array, ipos: Array, inertia: Array, iquat: Array, theta: Array
) -> tuple[Array, Array, Array, Array]:
    """Mass, centre of mass, principal inertia and its orientation after a log-Cholesky perturbation.

    Args:
        mass: (...,) kg.
        ipos: (..., 3) centre of mass in the body frame, m.
        inertia: (..., 3) principal moments, kg m^2.
        iquat: (..., 4) orientation of the principal axes.
        theta: (..., 10) alpha, d1, d2, d3, s12, s23, s13, t1, t2, t3; zero leaves the body as it is. The mass grows
            by exp(2 alpha), a dimension i stretches by exp(d_i), s shear, t move the centre of mass (in m) before the
            scaling by exp(alpha).

    Returns:
        The four quantities, of the same shapes.
    """
    rotation = np.stack([rotate(iquat, np.broadcast_to(e, ipos.shape)) for e in np.eye(3)], axis=-1)
    # second moments about the centre of mass along the principal axes: half the trace minus the moment
    second = 0.5 * inertia.sum(axis=-1, keepdims=True) - inertia
    sigma = np.einsum("...ij,...j,...kj->...ik", rotation, second, rotation, optimize=False)
    sigma = sigma + mass[..., None, None] * ipos[..., :, None] * ipos[..., None, :]
    pseudo = np.zeros((*mass.shape, 4, 4))
    pseudo[..., :3, :3] = sigma
    pseudo[..., :3, 3] = pseudo[..., 3, :3] = mass[..., None] * ipos
    pseudo[..., 3, 3] = mass
    alpha, d1, d2, d3, s12, s23, s13, t1, t2, t3 = (theta[..., i] for i in range(10))
    upper = np.zeros_like(pseudo)
    for i, d in enumerate((d1, d2, d3)):
        upper[..., i, i] = np.exp(d)
    upper[..., 0, 1], upper[..., 1, 2], upper[..., 0, 2] = s12, s23, s13
    upper[..., 0, 3], upper[..., 1, 3], upper[..., 2, 3] = t1, t2, t3
    upper[..., 3, 3] = 1.0
    upper *= np.exp(alpha)[..., None, None]
    new = np.einsum("...ij,...jk,...lk->...il", upper, pseudo, upper, optimize=False)
    new_mass = new[..., 3, 3]
    new_ipos = new[..., :3, 3] / new_mass[..., None]
    central = new[..., :3, :3] - new_mass[..., None, None] * new_ipos[..., :, None] * new_ipos[..., None, :]
    moments, axes = np.linalg.eigh(0.5 * (central + np.swapaxes(central, -1, -2)))
    # principal axes have no sign: make them a rotation
    axes[..., :, 2] *= np.linalg.det(axes)[..., None]
    new_inertia = moments.sum(axis=-1, keepdims=True) - moments
    new_iquat = quat_from_matrix(axes.reshape(*axes.shape[:-2], 9))
    # a body that is left as it is keeps its principal axes too, of which there is more than one choice
    same = (theta == 0.0).all(axis=-1)
    wide = same[..., None]
    return (
        np.where(same, mass, new_mass),
        np.where(wide, ipos, new_ipos),
        np.where(wide, inertia, new_inertia),
        np.where(wide, iquat, new_iquat),
    )
