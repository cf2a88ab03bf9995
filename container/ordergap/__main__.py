"""python -m ordergap."""

from ordergap.cli.main import run

if __name__ == "__main__":
    run()
