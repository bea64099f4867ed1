"""What trains, behind one seam: `engine` says what an engine is, each folder holds one."""
