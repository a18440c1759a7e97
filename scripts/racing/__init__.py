"""What benchmarks share: contestants in processes of their own, and what other programs took meanwhile."""
