"""`python -m hf_mri` is `hf-mri`."""

from hf_mri.commands.app import main

if __name__ == "__main__":
    main()
