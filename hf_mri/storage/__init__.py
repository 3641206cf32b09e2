"""Where things lie: paths and addresses, outputs that are whole or not there, and which process does which share."""
