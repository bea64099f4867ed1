"""`python -m darkroom` is the command `darkroom`."""

from darkroom.commands.main import program

if __name__ == "__main__":
    program()
