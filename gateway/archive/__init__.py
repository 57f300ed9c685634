"""Archives of closed shipments: a folder each, with Parquet files, the certificate, a manifest of digests.

``parquet``: rows to and from Parquet. ``folder``: a shipment's folder, written whole or not at all; checked.
"""
