"""Tables for ebmsuite: csv and npz files, anomaly detection by the energy, marginal histograms."""
