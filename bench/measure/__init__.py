"""The benchmarks, one file each. Every absolute figure stands beside that of the bare relay or of the load itself."""
