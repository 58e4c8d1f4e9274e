"""From molecules and force fields to OpenMM Systems and boxes."""
