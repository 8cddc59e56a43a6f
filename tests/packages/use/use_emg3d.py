"""Electromagnetic fields on a small grid by emg3d's multigrid solver."""

import emg3d
import numpy as np

WIDTHS = [np.array([90.0, 60.0, 50.0, 70.0]), np.array([80.0, 50.0, 60.0, 90.0]), np.array([70.0, 40.0, 50.0, 80.0])]
grid = emg3d.TensorMesh(WIDTHS, origin=(-140.0, -130.0, -110.0))
random = np.random.default_rng(0)
properties = [random.uniform(0.5, 3.0, size=grid.shape_cells) for _ in range(4)]
model = emg3d.Model(grid, *properties[:3], mu_r=properties[3])
source = emg3d.get_source_field(grid, (3.0, -7.0, 5.0, 30.0, 10.0), frequency=1.3)
for line in (False, 4, 5, 6, 7):
    field = emg3d.solve(model, source, maxit=1, semicoarsening=bool(line), linerelaxation=line, verb=0)
emg3d.get_magnetic_field(model, field)
coarse = emg3d.TensorMesh([[130.0, 110.0], [120.0, 130.0], [100.0, 110.0]], origin=(-130.0, -120.0, -100.0))
model.interpolate_to_grid(coarse)
volumes = grid.cell_volumes.reshape(grid.shape_cells, order="F")
emg3d.maps.interp_edges_to_vol_averages(
    field.fx, field.fy, field.fz, volumes, *(np.zeros(grid.shape_cells, complex, order="F") for _ in range(3))
)
