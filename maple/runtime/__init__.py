"""What jobs run on: files, journals, run cards, GPUs, processes, and the digest of the code behind a job."""
