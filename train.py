"""Train a slice classifier, a segmenter, or both: `accelerate launch train.py --task segment --data DATASET`.

The loop that reads top to bottom is hf_mri/training/train.py; `hf-mri train` and
`accelerate launch -m hf_mri.training.train` run it where only the package is installed.
"""

from hf_mri.training.train import run

if __name__ == "__main__":
    run()
