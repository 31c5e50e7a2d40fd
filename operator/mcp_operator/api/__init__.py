"""The four kinds, their schemas and conditions, and the catalog that operator and gateway share."""
