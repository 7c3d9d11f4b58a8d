"""Tables for ebmsuite: csv and npz files, anomaly detection with the energy, marginal histograms."""
