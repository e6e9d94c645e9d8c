"""Image file formats: headers, completeness, decoding and resizing."""
