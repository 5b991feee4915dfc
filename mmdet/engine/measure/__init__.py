"""What a step, an image and a test cost, measured in the training and the test that users run."""
