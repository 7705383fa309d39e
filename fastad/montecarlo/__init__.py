"""Monte Carlo values and sensitivities, with standard errors."""
