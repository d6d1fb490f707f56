"""Reduced models of spatial reaction-diffusion systems with learned dynamics."""
