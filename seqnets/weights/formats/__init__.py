"""Readers of other libraries' weight files. Each turns a file into arrays by name; the tables give the names their meaning."""
