"""What face transforms share: detector, landmarks, tracker."""
